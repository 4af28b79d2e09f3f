module github.com/webconferencing/webconferencing

go 1.25.0

require (
	github.com/coder/websocket v1.8.15
	github.com/google/uuid v1.6.0
	github.com/lmittmann/tint v1.2.1
	go.etcd.io/bbolt v1.4.3
	golang.org/x/sync v0.22.0
	pgregory.net/rapid v1.3.0
)

require golang.org/x/sys v0.29.0 // indirect
