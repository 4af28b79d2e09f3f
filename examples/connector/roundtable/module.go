package roundtable

import (
	"embed"
	"io/fs"

	"github.com/webconferencing/webconferencing"
)

//go:embed assets/roundtable.js
var assets embed.FS

// ClientModule implements [webconferencing.ClientModule].
func (p *Provider) ClientModule() (entry string, files fs.FS) {
	files, err := fs.Sub(assets, "assets")
	if err != nil {
		panic(err) // unreachable: the name is a valid constant
	}
	return "roundtable.js", files
}

// ClientPolicy implements [webconferencing.PolicySource].
func (p *Provider) ClientPolicy() webconferencing.ClientPolicy {
	return webconferencing.ClientPolicy{
		Sources:     map[string][]string{"frame-src": {p.current.Load().server}},
		Permissions: []string{"camera", "microphone"},
	}
}
