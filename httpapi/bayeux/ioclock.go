package bayeux

import (
	"net/http"
	"time"

	"github.com/webconferencing/webconferencing/httpapi/bayeux/internal/lane"
)

// ioClock bounds how long a request takes to be read and its response to be
// written. Setting deadlines costs as much as the rest of a small request, so
// where nobody else does, one is set only once something has taken a while.
type ioClock struct {
	watched
	srv     *Server
	control *http.ResponseController
	lazy    bool
	none    bool // the connection keeps the time itself
	armed   bool // a deadline was set
	set     func(time.Time) error
	since   time.Time
	limit   time.Duration
}

func (srv *Server) newIOClock(w http.ResponseWriter, r *http.Request) *ioClock {
	c := &ioClock{srv: srv, control: http.NewResponseController(w)}
	if _, c.none = w.(*lane.Response); c.none {
		return c
	}
	c.takes = c
	web, ok := r.Context().Value(http.ServerContextKey).(*http.Server)
	// A wrapper might not expect a call while it is reading or writing.
	c.lazy = ok && srv.hearing.Load() && web.ReadTimeout == 0 && web.WriteTimeout == 0 && r.ProtoMajor == 1 && isBare(w)
	return c
}

// begin starts the clock. It must be stopped by end, or by leave if there is
// nothing more to come.
func (c *ioClock) begin(limit time.Duration, set func(time.Time) error) {
	if c.none {
		return
	}
	c.set, c.limit, c.since, c.armed = set, limit, time.Now(), false
	if c.lazy {
		c.srv.io.enter(&c.watched)
		return
	}
	c.arm()
}

func (c *ioClock) takesLong() { c.arm() }

func (c *ioClock) arm() {
	c.armed = true
	err := c.set(c.since.Add(c.limit))
	if err == nil {
		c.srv.hearing.Store(true)
	} else if !c.srv.deaf.Swap(true) {
		c.srv.log.Warn("bayeux: a wrapper around the handler hides deadlines; the http.Server's own timeouts apply", "error", err)
	}
}

// leave stops the clock. A deadline that was set stays.
func (c *ioClock) leave() {
	if c.lazy {
		c.srv.io.leave(&c.watched)
	}
}

// end stops the clock and takes a deadline away.
func (c *ioClock) end() {
	c.leave()
	if c.armed {
		// If this fails, so has setting it.
		_ = c.set(time.Time{})
	}
}
