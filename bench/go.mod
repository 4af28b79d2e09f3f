module github.com/webconferencing/webconferencing/bench

go 1.25.0

require (
	github.com/coder/websocket v1.8.15
	github.com/webconferencing/webconferencing v0.0.0
)

replace github.com/webconferencing/webconferencing => ../
