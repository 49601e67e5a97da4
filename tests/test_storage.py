"""Object storage: as paths, with fsspec's file system in memory; S3 on a loopback server is in tests/cli/test_remote.py."""
