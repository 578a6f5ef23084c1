"""What the server is told of this supervisor: sockets, who may call, metrics; and the answers before it is there."""
