"""Native models, each over one feature vector in a buffer or a matrix of many."""
