"""From bytes to a tree of nodes with places, or to the mistakes in the YAML."""
