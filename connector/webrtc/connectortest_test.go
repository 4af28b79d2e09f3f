package webrtc_test

import (
	"testing"

	"github.com/webconferencing/webconferencing"
	"github.com/webconferencing/webconferencing/connector/connectortest"
	"github.com/webconferencing/webconferencing/connector/webrtc"
)

func TestConnector(t *testing.T) {
	connectortest.Run(t, func() webconferencing.Provider {
		return newProvider(t, &webrtc.Options{TURN: &webrtc.TURN{URLs: []string{"turn:turn.example.org"}, Secret: secret}})
	}, &connectortest.Options{Secrets: []string{secret}})
}
