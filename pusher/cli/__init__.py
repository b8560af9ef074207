"""click's home: the commands of `pusher`, each a few lines around one part of the package."""
