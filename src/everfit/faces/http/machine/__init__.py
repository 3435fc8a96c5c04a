"""What runs beside the requests of a worker: settings, the keeper's orders, the disk, clean-up."""
