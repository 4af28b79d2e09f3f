package bayeux

import (
	"log/slog"
	"net/http"
	"sync/atomic"
)

// hostCheck tells an operator once of each thing that the host around the server
// lacks. It does so at the first request that shows it, as there is nothing to
// see before.
type hostCheck struct {
	looked     atomic.Bool // at the http.Server
	unhijacked atomic.Bool
	foreign    atomic.Bool
	wrapped    atomic.Bool
}

// lookAtHost looks at the http.Server of the first request.
func (srv *Server) lookAtHost(r *http.Request) {
	if srv.host.looked.Load() || srv.host.looked.Swap(true) {
		return
	}
	web, ok := r.Context().Value(http.ServerContextKey).(*http.Server)
	if ok && web.ReadHeaderTimeout == 0 && web.ReadTimeout == 0 {
		srv.log.Warn("bayeux: the http.Server has no ReadHeaderTimeout; a client that never ends its headers keeps a connection for ever")
	}
}

// cannotHijack notes that connections cannot be taken over.
func (srv *Server) cannotHijack(err error) {
	if !srv.host.unhijacked.Swap(true) {
		srv.log.Warn("bayeux: a wrapper around the handler hides the connection; there are no WebSockets, clients use long-polling", "error", err)
	}
}

// wraps notes that connections of long-polling stay in net/http.
func (srv *Server) wraps() {
	if !srv.host.wrapped.Swap(true) {
		srv.log.Info("bayeux: a wrapper around the ResponseWriter keeps connections of long-polling in net/http, where they take more memory and time; see Options.StayInHandler")
	}
}

// noteForeign logs that a request was refused, which may be from the host's own
// page, and returns the reference of the line.
func (srv *Server) noteForeign(r *http.Request, fault string) (ref string) {
	level := slog.LevelInfo
	if !srv.host.foreign.Swap(true) {
		level = slog.LevelWarn
	}
	return srv.noteRefusal(level, "refused a request of another site",
		slog.String("reason", fault), slog.String("origin", r.Header.Get("Origin")), slog.String("host", r.Host))
}
