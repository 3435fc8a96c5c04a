"""The ML Test Score of a model that serves: 28 tests, most of them run by themselves."""
