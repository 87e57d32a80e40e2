"""What a worker may call: files inside a root, and inspections over them."""
