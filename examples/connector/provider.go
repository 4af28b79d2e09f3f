package main

import (
	"github.com/webconferencing/webconferencing"
	"github.com/webconferencing/webconferencing/examples/connector/roundtable"
)

// newProvider is the connector that this portal uses.
func newProvider() (webconferencing.Provider, error) {
	return roundtable.New("http://127.0.0.1:8082", "a secret that both share")
}
