package connectortest_test

import (
	"testing"

	"github.com/webconferencing/webconferencing"
	"github.com/webconferencing/webconferencing/connector/connectortest"
)

var (
	_ webconferencing.Joiner             = (*connectortest.Simulated)(nil)
	_ webconferencing.Preparer           = (*connectortest.Simulated)(nil)
	_ webconferencing.Updater            = (*connectortest.Simulated)(nil)
	_ webconferencing.Ender              = (*connectortest.Simulated)(nil)
	_ webconferencing.Moderator          = (*connectortest.Simulated)(nil)
	_ webconferencing.Prober             = (*connectortest.Simulated)(nil)
	_ webconferencing.WebhookReceiver    = (*connectortest.Simulated)(nil)
	_ webconferencing.Checker            = (*connectortest.Simulated)(nil)
	_ webconferencing.CallObserver       = (*connectortest.Simulated)(nil)
	_ webconferencing.Recorder           = (*connectortest.Simulated)(nil)
	_ webconferencing.AvailabilitySource = (*connectortest.Simulated)(nil)
	_ webconferencing.Telephone          = (*connectortest.Simulated)(nil)
	_ webconferencing.AccountConnector   = (*connectortest.Simulated)(nil)
	_ webconferencing.URLParser          = (*connectortest.Simulated)(nil)
	_ webconferencing.InfoPanel          = (*connectortest.Simulated)(nil)
	_ webconferencing.AccountTyper       = (*connectortest.Simulated)(nil)
	_ webconferencing.PolicySource       = (*connectortest.Simulated)(nil)
	_ webconferencing.Configurable       = (*connectortest.Simulated)(nil)
	_ webconferencing.ClientModule       = (*connectortest.Simulated)(nil)
)

func TestSimulated(t *testing.T) {
	const secret = "of the simulated server"
	connectortest.Run(t, func() webconferencing.Provider {
		return connectortest.NewSimulated(&connectortest.SimulatedOptions{Secret: secret})
	}, &connectortest.Options{Secrets: []string{secret}, Settings: map[string]string{"api_secret": "x"}})
}
