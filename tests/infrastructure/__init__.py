"""What the synthesised templates must say. They are made once per session, without account, container or network."""
