"""What the server is told of this supervisor: its sockets, who may call, its metrics; and answers before it is there."""
