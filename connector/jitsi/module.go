package jitsi

import (
	"embed"
	"io/fs"

	"github.com/webconferencing/webconferencing"
)

// Each file is named, so that nothing gets into a binary by lying around.
//
//go:embed assets/call-id.js
//go:embed assets/connector.js
//go:embed assets/frame.js
//go:embed assets/script.js
//go:embed assets/session.js
var assets embed.FS

// ClientModule implements [webconferencing.ClientModule].
func (p *Provider) ClientModule() (entry string, files fs.FS) {
	files, err := fs.Sub(assets, "assets")
	if err != nil {
		panic(err) // unreachable: the name is a valid constant
	}
	return "connector.js", files
}

// TrustedTypesPolicy is the policy that the browser module needs for loading
// the server's script where a page requires trusted types.
const TrustedTypesPolicy = "webconferencing-jitsi"

// ClientPolicy implements [webconferencing.PolicySource].
func (p *Provider) ClientPolicy() webconferencing.ClientPolicy {
	c := p.current.Load()
	policy := webconferencing.ClientPolicy{
		Sources:     map[string][]string{"frame-src": {c.origin}},
		Permissions: []string{"camera", "microphone", "display-capture", "autoplay", "fullscreen"},
		Features:    []string{"screen"},
	}
	if c.embed == EmbedScript {
		policy.Sources["script-src"] = []string{c.script()}
		policy.Sources["trusted-types"] = []string{TrustedTypesPolicy}
	}
	return policy
}
