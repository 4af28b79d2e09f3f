package webrtc

import (
	"time"

	"github.com/webconferencing/webconferencing/config"
)

// FromConfig returns a provider whose options are among values, under keys that
// begin with prefix:
//
//	stun         addresses of STUN servers, separated by commas
//	turn         addresses of a TURN relay, separated by commas
//	turn.secret  the secret shared with it; required with turn
//	turn.ttl     how long its credentials are good, such as 1h
//	max-parties  people in one call
//	title        name for people
//	inactive     true waits for an administrator
//
// All are optional. Faults name the key or the field of [Options].
func FromConfig(values *config.Values, prefix string) (*Provider, error) {
	var c struct {
		STUN       []string      `config:"stun"`
		TURN       []string      `config:"turn"`
		TTL        time.Duration `config:"turn.ttl"`
		MaxParties int           `config:"max-parties"`
		Title      string        `config:"title"`
		Inactive   bool          `config:"inactive"`
	}
	if err := values.Fill(prefix, &c); err != nil {
		return nil, err
	}
	o := Options{MaxParties: c.MaxParties, Title: c.Title, Inactive: c.Inactive}
	if len(c.STUN) > 0 {
		o.ICEServers = []ICEServer{{URLs: c.STUN}}
	}
	if len(c.TURN) > 0 {
		secret, err := values.Required(prefix + "turn.secret")
		if err != nil {
			return nil, err
		}
		o.TURN = &TURN{URLs: c.TURN, Secret: secret, TTL: c.TTL}
	}
	return New(&o)
}
