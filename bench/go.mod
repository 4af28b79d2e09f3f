module github.com/webconferencing/webconferencing/bench

go 1.25.0

require (
	github.com/coder/websocket v1.8.15
	github.com/webconferencing/webconferencing v0.0.0
	go.etcd.io/bbolt v1.4.3
)

require (
	github.com/google/uuid v1.6.0 // indirect
	golang.org/x/sync v0.22.0 // indirect
	golang.org/x/sys v0.29.0 // indirect
)

replace github.com/webconferencing/webconferencing => ../
