"""One module per command that does more than start a process; `xds_server.cli` lists them."""
