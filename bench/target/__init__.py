"""What a run is aimed at, and the way there: endpoint, workspace, cloud, authorities, proxy, the emulator."""
