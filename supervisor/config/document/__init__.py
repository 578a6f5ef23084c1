"""From bytes to a tree of nodes with places, or to what is wrong with the YAML."""
