module windtunnel/cluster/pause

go 1.21
