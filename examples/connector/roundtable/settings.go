package roundtable

import (
	"context"

	"github.com/webconferencing/webconferencing"
)

// Settings implements [webconferencing.Configurable].
func (p *Provider) Settings() []webconferencing.Setting {
	return []webconferencing.Setting{
		{Key: "server", Type: webconferencing.SettingURL, Title: "Server", Default: p.base.server, Required: true},
		{Key: "secret", Type: webconferencing.SettingSecret, Title: "Secret", Help: "Leave it empty to keep the portal's."},
	}
}

// Configure implements [webconferencing.Configurable].
func (p *Provider) Configure(_ context.Context, values map[string]string) error {
	c := config{server: values["server"], secret: values["secret"]}
	if c.secret == "" {
		c.secret = p.base.secret
	}
	if err := c.check(); err != nil {
		return &webconferencing.Error{Code: webconferencing.CodeInvalid, Field: "settings", Message: err.Error()}
	}
	p.current.Store(&c)
	return nil
}
