"""What `pusher check` looks at: one module per neighbour, each a source of findings."""
