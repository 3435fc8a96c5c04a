"""What runs beside the keeper, in processes of its own."""
