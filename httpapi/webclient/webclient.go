// Package webclient holds the browser module: plain ES modules, a style sheet
// and type declarations, kept in the repository as they are served. There is
// no build step and no dependency.
//
// A page needs two lines to have calls:
//
//	<script type="application/json" id="webconferencing">{"user": "mary"}</script>
//	<script type="module" src="/webconferencing/index.js"></script>
//
// and an element for each button:
//
//	<wc-call-button user="john"></wc-call-button>
//	<wc-call-button space="product_team"></wc-call-button>
//
// Pages with connectors that were written as plain scripts for
// eXo.webConferencing load exo.js before these scripts instead of index.js.
//
// Cards of incoming calls and the call itself appear by themselves. Package
// httpapi serves the files; index.js and types.d.ts describe what else a page
// can configure and call.
package webclient

import (
	"embed"
	"io/fs"
)

// Each file is named, so that nothing gets into a binary by lying around.
//
//go:embed assets/admin-providers.js
//go:embed assets/admin.js
//go:embed assets/base-element.js
//go:embed assets/bayeux-errors.js
//go:embed assets/bayeux-options.js
//go:embed assets/bayeux.js
//go:embed assets/button-providers.js
//go:embed assets/call-bar.js
//go:embed assets/call-button.js
//go:embed assets/call-commands.js
//go:embed assets/call-data.js
//go:embed assets/call-devices.js
//go:embed assets/call-history.js
//go:embed assets/call-steps.js
//go:embed assets/call-timeline.js
//go:embed assets/call-view.js
//go:embed assets/call-window.js
//go:embed assets/calls.js
//go:embed assets/client.css
//go:embed assets/conditions.js
//go:embed assets/contexts.js
//go:embed assets/current-call.js
//go:embed assets/directory.js
//go:embed assets/dom.js
//go:embed assets/elements.js
//go:embed assets/elsewhere.js
//go:embed assets/exo.js
//go:embed assets/fence.js
//go:embed assets/group-calls.js
//go:embed assets/incoming-call.js
//go:embed assets/incoming.js
//go:embed assets/index.d.ts
//go:embed assets/index.js
//go:embed assets/link-provider.js
//go:embed assets/link.js
//go:embed assets/live-calls.js
//go:embed assets/log-spool.js
//go:embed assets/log.js
//go:embed assets/messages.js
//go:embed assets/missed-count.js
//go:embed assets/missed.js
//go:embed assets/notices.js
//go:embed assets/pacing.js
//go:embed assets/page.js
//go:embed assets/preference.js
//go:embed assets/problems.js
//go:embed assets/provider-features.js
//go:embed assets/providers.js
//go:embed assets/reports.js
//go:embed assets/rest.js
//go:embed assets/resume.js
//go:embed assets/ring-tone.js
//go:embed assets/ring.js
//go:embed assets/settings-form.js
//go:embed assets/space-providers.js
//go:embed assets/starting.js
//go:embed assets/styles-admin.js
//go:embed assets/styles-devices.js
//go:embed assets/styles-panels.js
//go:embed assets/styles.js
//go:embed assets/subscriptions.js
//go:embed assets/texts.js
//go:embed assets/transport.js
//go:embed assets/types.d.ts
//go:embed assets/user-accounts.js
//go:embed assets/webconferencing.js
//go:embed assets/wire.js
var embedded embed.FS

// Files are the assets by their names, "index.js" the first to load. It is
// safe for concurrent use and never changes.
var Files fs.FS = assets{}

// assets is embedded without the folder in front of the names.
type assets struct{}

// Open implements [fs.FS].
func (assets) Open(name string) (fs.File, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
	}
	if name == "." {
		return embedded.Open("assets")
	}
	return embedded.Open("assets/" + name)
}

// ReadFile implements [fs.ReadFileFS].
func (assets) ReadFile(name string) ([]byte, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: "read", Path: name, Err: fs.ErrInvalid}
	}
	return embedded.ReadFile("assets/" + name)
}
