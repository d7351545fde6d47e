"""The monthly billing and usage that is reported in between, with the policies that follow."""
