package bayeux

import (
	"errors"
	"io"
	"mime"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/webconferencing/webconferencing/httpapi/bayeux/internal/lane"
)

// servePost serves one request of the long-polling transport.
func (srv *Server) servePost(w http.ResponseWriter, r *http.Request) {
	srv.tasks.begin()
	defer srv.tasks.end()
	if status, code := checkBody(r, srv.opts.MaxMessageBytes); status != 0 {
		srv.leaveBody(w, r)
		writeFault(w, status, code)
		return
	}
	clock := srv.newIOClock(w, r)
	body, status, code := srv.readBody(w, r, clock)
	if status != 0 {
		w.Header().Set("Connection", "close")
		writeFault(w, status, code)
		return
	}
	list, err := decodeBatch(body, &srv.opts)
	if err != nil {
		status := http.StatusBadRequest
		if errors.Is(err, errBatchSize) {
			status = http.StatusRequestEntityTooLarge
		}
		writeFault(w, status, err.Error())
		return
	}
	_, outside := w.(*lane.Response)
	x := &exchange{srv: srv, ctx: r.Context(), request: r, browser: srv.readCookie(r), outside: outside}
	defer x.release()
	x.run(list)
	if srv.goOutside(x, w, r) {
		return
	}
	if x.parked != nil && !srv.park(x, clock.control) {
		return
	}
	srv.respond(x, w, clock)
}

// checkBody refuses a body by its headers.
func checkBody(r *http.Request, limit int) (status int, code string) {
	if r.ContentLength > int64(limit) {
		return http.StatusRequestEntityTooLarge, "too_large"
	}
	if coding := r.Header.Get("Content-Encoding"); coding != "" && coding != "identity" {
		return http.StatusUnsupportedMediaType, "content_encoding"
	}
	// Anything but JSON could be sent across sites without a CORS preflight.
	if !isJSON(r.Header.Get("Content-Type")) {
		return http.StatusUnsupportedMediaType, "content_type"
	}
	return 0, ""
}

func isJSON(contentType string) bool {
	switch contentType { // what clients send
	case "application/json", "application/json;charset=UTF-8", "application/json; charset=utf-8":
		return true
	}
	kind, params, err := mime.ParseMediaType(contentType)
	charset := params["charset"]
	return err == nil && kind == "application/json" && (charset == "" || strings.EqualFold(charset, "utf-8"))
}

func (srv *Server) readBody(w http.ResponseWriter, r *http.Request, clock *ioClock) (body []byte, status int, code string) {
	clock.begin(srv.opts.BodyTimeout, clock.control.SetReadDeadline)
	body, err := readAll(w, r, int64(srv.opts.MaxMessageBytes))
	if err == nil {
		// A deadline left behind would end the watch for a dead client.
		clock.end()
		return body, 0, ""
	}
	clock.leave()
	var tooLarge *http.MaxBytesError
	var timeout net.Error
	switch {
	case errors.As(err, &tooLarge):
		return nil, http.StatusRequestEntityTooLarge, "too_large"
	case errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return nil, http.StatusRequestTimeout, "body_timeout"
	}
	return nil, http.StatusBadRequest, "bad_body"
}

// readAll reads a body of known length, which is not above the limit, or of an
// unknown one. The memory grows with what has come, not with what was announced.
func readAll(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	const trusted = 4 << 10
	if n := r.ContentLength; n > 0 && n <= trusted {
		body := make([]byte, n)
		_, err := io.ReadFull(r.Body, body)
		return body, err
	}
	return io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
}

// respond writes the handshake's reply, the waiting messages and the other
// replies. What could not be written stays queued.
func (srv *Server) respond(x *exchange, w http.ResponseWriter, clock *ioClock) {
	x.awaitCalls()
	body, away, flying := x.assemble()
	if away != 0 {
		w.WriteHeader(away)
		return
	}
	if x.setCookie != "" && x.status == 0 {
		srv.writeCookie(w, x.request, x.setCookie)
	}
	clock.begin(srv.opts.WriteTimeout, clock.control.SetWriteDeadline)
	// A client may hang up as soon as it has everything, which must not be taken
	// for hanging up before.
	gone, written := x.ctx.Err() != nil, false
	if x.status != 0 {
		w.Header().Set("Retry-After", "5")
		writeFaultRef(w, x.status, x.code, x.ref)
	} else {
		values := [...]string{"application/json;charset=UTF-8", strconv.Itoa(len(body))}
		h := w.Header()
		h["Content-Type"], h["Content-Length"] = values[0:1:1], values[1:2:2]
		w.WriteHeader(http.StatusOK)
		_, err := w.Write(body)
		if err == nil {
			// Only so is an error seen.
			err = clock.control.Flush()
		}
		written = !gone && (err == nil || errors.Is(err, http.ErrNotSupported))
	}
	if x.session != nil {
		x.session.written(flying, written, x.connect != nil || x.handshake != nil)
	}
	// The next request on this connection must not inherit the deadline.
	clock.end()
}

// assemble forms the body of an HTTP response. It reports whether messages are
// in flight, or with which status the held connect is turned away.
func (x *exchange) assemble() (body []byte, away int, flying bool) {
	s := x.session
	if s == nil {
		return joinReplies(x.handshake, nil, x.replies), 0, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	h := x.connect
	if h != nil && h.away != 0 && x.parked == h {
		return nil, h.away, false
	}
	if h != nil && s.held == h {
		s.held = nil
	}
	if h != nil && x.parked == h {
		// One that waits for its turn after a rush was never held.
		s.lively = h.since.IsZero() || time.Since(h.since) < lively
	}
	list := x.greeting
	flying = len(list) > 0 && !s.queue.acking
	if x.handshake == nil && (h != nil || !s.connectOnly && s.socket == nil) {
		list = s.queue.take(x.srv.opts.MaxResponseBytes)
		x.carried = len(list)
		flying = len(list) > 0 && !s.queue.acking
	}
	if h != nil {
		x.replies = slices.Insert(x.replies, x.before, s.connectReplyLocked(h))
		if s.closed && (s.reason == ReasonKicked || s.reason == ReasonInactive) {
			x.replies = slices.Insert(x.replies, x.before, []byte(serverDisconnect))
		}
	}
	x.settleLocked()
	if h != nil || x.handshake != nil {
		s.armLocked()
	}
	return joinReplies(x.handshake, list, x.replies), 0, flying
}

// written ends an HTTP response: what was not written is sent again, and the
// time in which the client must come back starts now.
func (s *Session) written(flying, ok, rearm bool) {
	s.mu.Lock()
	if flying {
		s.queue.settle(ok)
	}
	if rearm && !s.deadline.IsZero() {
		s.armLocked()
	}
	next := s.wakeLocked()
	s.mu.Unlock()
	next.run()
}

func joinReplies(handshake []byte, list []*Prepared, replies [][]byte) []byte {
	if handshake == nil {
		return joinFrame(list, replies...)
	}
	all := [][]byte{handshake}
	for _, p := range list {
		all = append(all, p.JSON())
	}
	return joinFrame(nil, append(all, replies...)...)
}
