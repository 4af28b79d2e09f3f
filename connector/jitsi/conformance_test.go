package jitsi_test

import (
	"strings"
	"testing"

	"github.com/webconferencing/webconferencing"
	"github.com/webconferencing/webconferencing/connector/connectortest"
	"github.com/webconferencing/webconferencing/connector/jitsi"
	"github.com/webconferencing/webconferencing/connector/jitsi/internal/fakejitsi"
)

func TestConnector(t *testing.T) {
	for name, jaas := range map[string]bool{"own server": false, "JaaS": true} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, jaas, func(po *jitsi.Options, _ *fakejitsi.Options) {
				po.Now = nil
				if !jaas {
					po.EndMeeting = &jitsi.EndMeeting{KeyID: "k", PrivateKey: keyPEM(t, key())}
				}
			})
			// The suite ends meetings that never were: the server says so.
			w.fake = fakejitsi.New(fakejitsi.Options{SystemKeys: systemKeys()})
			opts := &connectortest.Options{Secrets: []string{appSecret, hookSecret, string(roomSecret), strings.Split(keyPEM(t, key()), "\n")[1]}}
			connectortest.Run(t, func() webconferencing.Provider { return w.fresh(jaas) }, opts)
		})
	}
}
