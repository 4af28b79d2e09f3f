package webrtc

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/webconferencing/webconferencing"
)

// TURN is a relay that accepts credentials made from a shared secret, such as
// coturn with use-auth-secret.
type TURN struct {
	// URLs of the relay, of the scheme turn or turns, for example
	// "turn:turn.example.org:3478?transport=udp".
	URLs []string
	// Secret that the relay has as static-auth-secret; at least 16 bytes.
	Secret string
	// TTL is how long credentials are good, 5 minutes to 24 hours. The relay
	// looks at it when a connection is made and when it is refreshed, so it
	// should exceed the time between two refreshes, ten minutes. Defaults to
	// 1 hour.
	TTL time.Duration
}

const minSecret = 16

func (t *TURN) withDefaults() *TURN {
	d := *t
	d.URLs = slices.Clone(t.URLs)
	if d.TTL == 0 {
		d.TTL = defaultTTL
	}
	return &d
}

func (t *TURN) check() error {
	faults := []error{checkURLs("TURN.URLs", t.URLs, "turn:", "turns:")}
	if len(t.Secret) < minSecret {
		faults = append(faults, fmt.Errorf("TURN.Secret: shorter than %d bytes", minSecret))
	}
	if t.TTL < minTTL || t.TTL > maxTTL {
		faults = append(faults, fmt.Errorf("TURN.TTL: %v is not from %v to %v", t.TTL, minTTL, maxTTL))
	}
	return errors.Join(faults...)
}

// serverFor returns the relay with credentials for one user: the name says
// until when they are good and whose they are, the password is the name's MAC.
func (t *TURN) serverFor(user webconferencing.UserID, now time.Time) ICEServer {
	// The relay splits the name at the first colon; the user's part is for
	// its log only and must not begin a line of its own there.
	readable := strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '_'
		}
		return r
	}, string(user))
	name := strconv.FormatInt(now.Add(t.TTL).Unix(), 10) + ":" + readable
	mac := hmac.New(sha1.New, []byte(t.Secret))
	mac.Write([]byte(name))
	return ICEServer{
		URLs:       t.URLs,
		Username:   name,
		Credential: base64.StdEncoding.EncodeToString(mac.Sum(nil)),
	}
}
