package bayeux

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"net/http"
	"strings"
)

// The browser cookie is a random part and a signature over it and the user, so
// that a cookie planted by another user is not adopted at a handshake.

const cookieRandom = 32 // length of a token's text

// validate reports what would make net/http or browsers drop the cookie.
func (o *CookieOptions) validate() error {
	c := http.Cookie{Name: o.Name, Path: o.Path, Domain: o.Domain}
	if err := c.Valid(); err != nil {
		return err
	}
	host := hasFoldPrefix(o.Name, "__Host-")
	switch {
	case o.Path[0] != '/':
		return fmt.Errorf("has the path %q, which does not begin with a slash", o.Path)
	case !host && !hasFoldPrefix(o.Name, "__Secure-"):
		return nil
	case !o.Secure && o.SameSite != http.SameSiteNoneMode && !o.Partitioned:
		return fmt.Errorf("is named %q, which asks for Secure", o.Name)
	case host && (o.Path != "/" || o.Domain != ""):
		return fmt.Errorf("is named %q, which asks for the path / and no domain", o.Name)
	}
	return nil
}

func hasFoldPrefix(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

func (srv *Server) newCookie(user string) string {
	random := newToken()
	return random + srv.cookieSeal(random, user)
}

func (srv *Server) validCookie(value, user string) bool {
	if len(value) <= cookieRandom {
		return false
	}
	return sameText(value[cookieRandom:], srv.cookieSeal(value[:cookieRandom], user))
}

func (srv *Server) cookieSeal(random, user string) string {
	mac := hmac.New(sha256.New, srv.key)
	mac.Write([]byte(random))
	mac.Write([]byte(user))
	return strings.ToLower(base32.StdEncoding.EncodeToString(mac.Sum(nil)[:20]))
}

func (srv *Server) readCookie(r *http.Request) string {
	if len(r.Header["Cookie"]) == 0 {
		return ""
	}
	c, err := r.Cookie(srv.opts.Cookie.Name)
	if err != nil {
		return ""
	}
	return c.Value
}

// cookie returns the browser cookie that fits, empty if there is none. There may
// be several: a page below another server's path brings the cookie of that, too.
func (x *exchange) cookie(fits func(value string) bool) string {
	if fits(x.browser) {
		return x.browser
	}
	if x.browser != "" {
		for _, c := range x.request.CookiesNamed(x.srv.opts.Cookie.Name) {
			if fits(c.Value) {
				return c.Value
			}
		}
	}
	return ""
}

func (srv *Server) writeCookie(w http.ResponseWriter, r *http.Request, value string) {
	o := &srv.opts.Cookie
	http.SetCookie(w, &http.Cookie{
		Name: o.Name, Value: value, Path: o.Path, Domain: o.Domain, MaxAge: o.MaxAge, HttpOnly: true,
		Secure:   o.Secure || r.TLS != nil || o.SameSite == http.SameSiteNoneMode || o.Partitioned,
		SameSite: o.SameSite, Partitioned: o.Partitioned,
	})
}
