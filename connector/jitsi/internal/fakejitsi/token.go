package fakejitsi

import (
	"crypto"
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// person is what a token says of its holder.
type person struct {
	ID, Name string
	Owner    bool
}

// verify checks a token as Prosody's mod_auth_token does. The errors are the
// fake's own words.
func (s *Server) verify(token, tenant, room string) (person, error) {
	if s.opts.Secret == "" && len(s.opts.Keys) == 0 {
		return person{}, nil // anybody may enter
	}
	claims, err := s.signed(token, s.opts.Keys)
	if err != nil {
		return person{}, err
	}
	issuer, subject := s.opts.AppID, s.opts.Subject
	if s.opts.JaaS != "" {
		issuer, subject = "chat", s.opts.JaaS
		if tenant != strings.ToLower(s.opts.JaaS) {
			return person{}, errors.New("the room belongs to another account")
		}
	}
	if err := s.current(claims); err != nil {
		return person{}, err
	}
	if claims["iss"] != issuer {
		return person{}, errors.New("issuer is not accepted")
	}
	if !slices.Contains(s.opts.Audiences, fmt.Sprint(claims["aud"])) {
		return person{}, errors.New("audience is not accepted")
	}
	if subject != "" && claims["sub"] != subject {
		return person{}, errors.New("subject is not accepted")
	}
	named, ok := claims["room"].(string)
	switch {
	case !ok:
		return person{}, errors.New("token names no room")
	case named == "*":
		return person{}, errors.New("wildcards are refused here") // token_no_wildcard
	case named != room:
		return person{}, errors.New("token is for another room")
	}
	return userOf(claims)
}

// current checks nbf and exp.
func (s *Server) current(claims map[string]any) error {
	now := float64(s.opts.Now().Unix())
	exp, ok := claims["exp"].(float64)
	if !ok {
		return errors.New("token does not say when it ends")
	}
	if exp <= now {
		return errors.New("token is over")
	}
	if exp > now+time.Hour.Seconds() {
		return errors.New("token is good for longer than an hour") // stricter than Prosody
	}
	if nbf, ok := claims["nbf"].(float64); ok && nbf > now {
		return errors.New("token is not good yet")
	}
	return nil
}

// userOf reads context.user. The server's plugins break on members that are no
// texts.
func userOf(claims map[string]any) (person, error) {
	context, _ := claims["context"].(map[string]any)
	user, _ := context["user"].(map[string]any)
	for name, value := range user {
		if _, ok := value.(string); !ok {
			return person{}, fmt.Errorf("the server failed on context.user.%s", name)
		}
	}
	text := func(name string) string {
		s, _ := user[name].(string)
		return s
	}
	return person{ID: text("id"), Name: text("name"), Owner: text("affiliation") == "owner" || text("moderator") == "true"}, nil
}

// signed checks a signature: RS256 if there are keys, else HS256. What the
// token says of its algorithm must be that.
func (s *Server) signed(token string, keys map[string]*rsa.PublicKey) (map[string]any, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, errors.New("there is no token")
	}
	var header struct{ Alg, Typ, Kid string }
	var claims map[string]any
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil || part(parts[0], &header) != nil || part(parts[1], &claims) != nil {
		return nil, errors.New("token is no JWT")
	}
	text := []byte(parts[0] + "." + parts[1])
	switch {
	case header.Typ != "JWT":
		return nil, errors.New("token is no JWT")
	case len(keys) > 0:
		key := keys[header.Kid]
		sum := sha256.Sum256(text)
		if header.Alg != "RS256" || key == nil {
			return nil, errors.New("algorithm or key is not accepted")
		}
		if rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], signature) != nil {
			return nil, errors.New("signature is wrong")
		}
	default:
		if header.Alg != "HS256" {
			return nil, errors.New("algorithm is not accepted")
		}
		mac := hmac.New(sha256.New, []byte(s.opts.Secret))
		mac.Write(text)
		if !hmac.Equal(signature, mac.Sum(nil)) {
			return nil, errors.New("signature is wrong")
		}
	}
	return claims, nil
}

func part(text string, into any) error {
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return err
	}
	return json.Unmarshal(raw, into)
}

// endMeeting is mod_muc_end_meeting.
func (s *Server) endMeeting(w http.ResponseWriter, r *http.Request) {
	bearer, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	claims, err := map[string]any(nil), errors.New("there are no system keys")
	if len(s.opts.SystemKeys) > 0 {
		claims, err = s.signed(bearer, s.opts.SystemKeys)
	}
	if err == nil {
		err = s.current(claims)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusUnauthorized)
		return
	}
	jid := r.URL.Query().Get("conference")
	node, _, found := strings.Cut(jid, "@conference.")
	if !found || node == "" {
		http.Error(w, "conference is missing", http.StatusBadRequest)
		return
	}
	if tenant, rest, found := strings.Cut(strings.TrimPrefix(node, "["), "]"); found {
		node = tenant + "/" + rest
	}
	if !s.End(node) {
		http.Error(w, "there is no such room", http.StatusNotFound)
		return
	}
	w.WriteHeader(http.StatusOK)
}
