"""The desk of a worker: bytes in, answer bytes out, everything written down before it is given.

``lane`` builds an answer of one version in one arm, and the frame that records it; ``desk`` picks
the lane, keeps the versions and takes outcomes. Nothing is imported here: the keeper needs one of
these files, and not the libraries that answer.
"""
