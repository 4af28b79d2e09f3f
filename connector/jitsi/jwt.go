package jitsi

import (
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"time"
)

// jwtHeader is the JOSE header of a token (RFC 7515).
type jwtHeader struct {
	Alg string `json:"alg"`
	Typ string `json:"typ"`
	Kid string `json:"kid,omitempty"`
}

// signer makes tokens; it has either a secret (HS256) or a key (RS256).
type signer struct {
	secret []byte
	key    *rsa.PrivateKey
	kid    string
}

func (s *signer) sign(claims any) (string, error) {
	header := jwtHeader{Alg: "HS256", Typ: "JWT"}
	if s.key != nil {
		header.Alg, header.Kid = "RS256", s.kid
	}
	head, err := json.Marshal(header)
	if err != nil {
		return "", err
	}
	body, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	text := base64.RawURLEncoding.EncodeToString(head) + "." + base64.RawURLEncoding.EncodeToString(body)
	var signature []byte
	if s.key == nil {
		signature = hs256(s.secret, text)
	} else {
		sum := sha256.Sum256([]byte(text))
		if signature, err = rsa.SignPKCS1v15(rand.Reader, s.key, crypto.SHA256, sum[:]); err != nil {
			return "", err
		}
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(signature), nil
}

func hs256(secret []byte, text string) []byte {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(text))
	return mac.Sum(nil)
}

// parseKey reads an RSA key. The error never shows any of it.
func parseKey(text string) (*rsa.PrivateKey, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, errors.New("is not in PEM form")
	}
	key, err := x509.ParsePKCS1PrivateKey(block.Bytes)
	if err != nil {
		any, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			return nil, errors.New("is not an RSA key in PKCS #8 or PKCS #1 form")
		}
		var ok bool
		if key, ok = any.(*rsa.PrivateKey); !ok {
			return nil, errors.New("is not an RSA key")
		}
	}
	if key.N.BitLen() < 2048 {
		return nil, fmt.Errorf("has %d bits, fewer than 2048", key.N.BitLen())
	}
	return key, nil
}

// Tokens of webhooks.
const (
	webhookAudience = "webconferencing"
	webhookMaxAge   = 5 * time.Minute
	clockLeeway     = 10 * time.Second
	maxBearer       = 4096
)

// errBearer is what a webhook is refused with; why is nobody's business.
var errBearer = errors.New("bearer token is not accepted")

// checkBearer accepts the secret itself, or a token that is signed with it
// (HS256), made for us and good for at most five minutes more.
func checkBearer(secret, bearer string, now time.Time) error {
	if secret == "" || bearer == "" || len(bearer) > maxBearer {
		return errBearer
	}
	if subtle.ConstantTimeCompare([]byte(secret), []byte(bearer)) == 1 {
		return nil
	}
	text, signature, ok := cutLast(bearer, ".")
	if !ok {
		return errBearer
	}
	sum, err := base64.RawURLEncoding.Strict().DecodeString(signature)
	if err != nil || !hmac.Equal(sum, hs256([]byte(secret), text)) {
		return errBearer
	}
	head, body, _ := strings.Cut(text, ".")
	var header jwtHeader
	if decodePart(head, &header) != nil || header.Alg != "HS256" {
		return errBearer
	}
	var claims struct {
		Aud json.RawMessage `json:"aud"`
		Exp *float64        `json:"exp"`
		Nbf *float64        `json:"nbf"`
	}
	if decodePart(body, &claims) != nil || claims.Exp == nil || !forUs(claims.Aud) {
		return errBearer
	}
	// Compared as numbers: a time of a far year does not fit a time.Time.
	seconds := float64(now.UnixMilli()) / 1000
	early, late := seconds-clockLeeway.Seconds(), seconds+(webhookMaxAge+clockLeeway).Seconds()
	if *claims.Exp <= early || *claims.Exp > late {
		return errBearer
	}
	if claims.Nbf != nil && *claims.Nbf > seconds+clockLeeway.Seconds() {
		return errBearer
	}
	return nil
}

// forUs tells whether an aud claim, a text or a list of texts, names us.
func forUs(aud json.RawMessage) bool {
	var one string
	if json.Unmarshal(aud, &one) == nil {
		return one == webhookAudience
	}
	var list []string
	if json.Unmarshal(aud, &list) != nil {
		return false
	}
	for _, a := range list {
		if a == webhookAudience {
			return true
		}
	}
	return false
}

func decodePart(part string, into any) error {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(part)
	if err != nil {
		return err
	}
	return json.Unmarshal(raw, into)
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}
