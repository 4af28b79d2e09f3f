package bayeux

import (
	"sync"

	"github.com/webconferencing/webconferencing/httpapi/bayeux/internal/wsframe"
)

// ownFrame is the WebSocket frame with which a reader answers the one that it
// has processed: the replies, and the result of a remote call that has it at
// once. It is formed in place, in memory that is used again.
type ownFrame struct {
	b        []byte   // room for a header, a bracket, and messages with a comma after each
	s        *Session // whose result is in it; nil if there is none
	from, to int      // where that is
}

// maxOwnFrame bounds what is formed in place.
const maxOwnFrame = 8 << 10

// spares are parts that the processing of frames uses again and again. They are
// never handed to code of the application.
type spares struct {
	exchanges sync.Pool // of *exchange
	frames    sync.Pool // of *ownFrame
}

func (p *spares) exchange() *exchange {
	if x, ok := p.exchanges.Get().(*exchange); ok {
		return x
	}
	return new(exchange)
}

// reuse takes back an exchange that is over. One of which a hook that was given
// up, or a connect, may know is not used again.
func (p *spares) reuse(x *exchange) {
	if x.onlyReplies() && x.parked == nil && !x.hookLate {
		*x = exchange{}
		p.exchanges.Put(x)
	}
}

func (p *spares) frame() *ownFrame {
	f, ok := p.frames.Get().(*ownFrame)
	if !ok {
		f = &ownFrame{b: make([]byte, wsframe.HeaderRoom, 1<<10)}
	}
	f.b = append(f.b[:wsframe.HeaderRoom], '[')
	return f
}

// reuseFrame takes back a frame that was written.
func (p *spares) reuseFrame(f *ownFrame) {
	if cap(f.b) <= 2*maxOwnFrame {
		f.s = nil
		p.frames.Put(f)
	}
}

func (f *ownFrame) add(r *reply) { f.b = append(r.appendTo(f.b), ',') }

func (f *ownFrame) addResult(s *Session, a *result) {
	f.s, f.from = s, len(f.b)
	f.b = a.appendTo(f.b)
	f.to = len(f.b)
	f.b = append(f.b, ',')
}

// messages returns what is in the frame, without brackets.
func (f *ownFrame) messages() []byte { return f.b[wsframe.HeaderRoom+1 : len(f.b)-1] }

// finish returns the frame, which is not to be added to any more.
func (f *ownFrame) finish() outgoing {
	f.b[len(f.b)-1] = ']'
	out := outgoing{frame: wsframe.FinishText(f.b), settles: f.s, own: f}
	if f.s != nil {
		out.result = f.b[f.from:f.to]
	}
	return out
}

// sendResult puts the result of a remote call into the frame that the reader is
// about to write. It reports false if the result has to be queued.
func (k *socket) sendResult(s *Session, a *result) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	f := k.own
	if f == nil || f.s != nil || k.session != s || k.closed || k.code != 0 || len(f.b)+a.size() > maxOwnFrame || !s.reserve(k, a) {
		return false
	}
	f.addResult(s, a)
	s.srv.stats.delivered.Add(1)
	return true
}

// reserve takes the place of a message in the queue for one that the socket is
// to write at once. It reports false if that would not be the next message to
// the client.
func (s *Session) reserve(k *socket, a *result) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := &s.srv.opts
	if s.closed || s.socket != k || s.connectOnly || s.busy > 0 || a.size()+overhead > o.MaxQueueBytes || !s.queue.reserve() {
		return false
	}
	s.deliveredLocked()
	return true
}

// resultWritten settles a result that reserve has made place for. One that was
// not written waits for another way to the client.
func (s *Session) resultWritten(text []byte, ok bool) {
	s.mu.Lock()
	if !ok && s.queue.reserved() {
		b := make([]byte, wsframe.HeaderRoom, wsframe.HeaderRoom+len(text)+2)
		b = append(append(append(b, '['), text...), ']')
		s.queue.restore(framed("", b))
	}
	s.queue.settle(ok)
	next := s.wakeLocked()
	s.mu.Unlock()
	next.run()
}
