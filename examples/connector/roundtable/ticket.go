package roundtable

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/webconferencing/webconferencing"
)

// ticket lets one device into one room for minutes.
type ticket struct {
	Room string `json:"room"`
	Name string `json:"name,omitempty"`
	Exp  int64  `json:"exp"`
	// Ref comes back in the server's webhooks, so we need not remember who
	// went where.
	Ref ref `json:"ref"`
}

// ref is what a webhook has to be mapped to.
type ref struct {
	Call  webconferencing.CallID `json:"call"`
	Epoch uint64                 `json:"epoch"`
	User  webconferencing.UserID `json:"user"`
	Seat  webconferencing.SeatID `json:"seat"`
}

func refOf(r webconferencing.JoinRequest) ref {
	return ref{Call: r.Seat.Call, Epoch: r.Seat.Epoch, User: r.Actor.User, Seat: r.Seat.Seat}
}

func (t *ticket) sign(secret string) (string, error) {
	raw, err := json.Marshal(t)
	if err != nil {
		return "", err
	}
	body := base64.RawURLEncoding.EncodeToString(raw)
	return body + "." + mac(secret, "ticket "+body), nil
}

// room can't be guessed, says nothing about the people, and is another one for
// each run of a call.
func room(secret string, c *webconferencing.Call) string {
	return mac(secret, fmt.Sprintf("room %d %s", c.Epoch, c.ID))[:20]
}

func mac(secret, text string) string {
	h := hmac.New(sha256.New, []byte(secret))
	h.Write([]byte(text))
	return hex.EncodeToString(h.Sum(nil))
}
