package httpapi

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"strings"
	"time"

	"github.com/webconferencing/webconferencing"
)

// A user token is "1." + base64url(payload) + "." + base64url(mac). The payload
// is the time of issue and the time of expiry as 8 bytes of Unix seconds each,
// and the user id. The mac is HMAC-SHA-256 over a fixed prefix, which names
// purpose and version, and the payload.
const (
	tokenVersion = "1."
	tokenPurpose = "webconferencing user token 1\x00"
	minTokenKey  = 32
	maxToken     = 8 << 10
)

var errBadToken = errors.New("token is not valid")

// userToken is what a token says.
type userToken struct {
	user    webconferencing.UserID
	issued  time.Time
	expires time.Time
}

// tokens makes and checks user tokens.
type tokens struct {
	key []byte
	ttl time.Duration
}

func (t *tokens) mac(payload []byte) []byte {
	h := hmac.New(sha256.New, t.key)
	h.Write([]byte(tokenPurpose))
	h.Write(payload)
	return h.Sum(nil)
}

func (t *tokens) issue(user webconferencing.UserID, now time.Time) string {
	payload := make([]byte, 16, 16+len(user))
	binary.BigEndian.PutUint64(payload, uint64(now.Unix()))
	binary.BigEndian.PutUint64(payload[8:], uint64(now.Add(t.ttl).Unix()))
	payload = append(payload, user...)
	enc := base64.RawURLEncoding
	return tokenVersion + enc.EncodeToString(payload) + "." + enc.EncodeToString(t.mac(payload))
}

// check returns what a token says if we made it and it has not expired. The
// error is the same whatever is wrong.
func (t *tokens) check(token string, now time.Time) (userToken, error) {
	// The decoder skips line ends, which no token of ours has.
	if len(token) > maxToken || strings.ContainsAny(token, "\r\n") {
		return userToken{}, errBadToken
	}
	body, ok := strings.CutPrefix(token, tokenVersion)
	if !ok {
		return userToken{}, errBadToken
	}
	head, tail, ok := strings.Cut(body, ".")
	if !ok {
		return userToken{}, errBadToken
	}
	enc := base64.RawURLEncoding.Strict()
	payload, err1 := enc.DecodeString(head)
	mac, err2 := enc.DecodeString(tail)
	if err1 != nil || err2 != nil || len(payload) <= 16 || !hmac.Equal(mac, t.mac(payload)) {
		return userToken{}, errBadToken
	}
	u := userToken{
		user:    webconferencing.UserID(payload[16:]),
		issued:  time.Unix(int64(binary.BigEndian.Uint64(payload)), 0),
		expires: time.Unix(int64(binary.BigEndian.Uint64(payload[8:])), 0),
	}
	if !now.Before(u.expires) {
		return userToken{}, errBadToken
	}
	return u, nil
}
