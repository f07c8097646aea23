"""Keys that are made at run time: where they are kept, and who makes them."""
