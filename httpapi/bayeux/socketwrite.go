package bayeux

import (
	"errors"
	"slices"
	"time"

	"github.com/webconferencing/webconferencing/httpapi/bayeux/internal/wsframe"
)

// outgoing is a WebSocket frame to be written. With a session it carries
// messages that are in flight.
type outgoing struct {
	frame   []byte
	settles *Session
}

func (o outgoing) settle(written bool) {
	if o.settles != nil {
		o.settles.written(true, written, false)
	}
}

// few frames can be written together without memory to list them.
const few = 4

func appendFrames(list [][]byte, batch []outgoing) [][]byte {
	for _, out := range batch {
		list = append(list, out.frame)
	}
	return list
}

func (k *socket) send(out outgoing) {
	k.mu.Lock()
	if k.closed {
		k.mu.Unlock()
		out.settle(false)
		return
	}
	k.pending = append(k.pending, out)
	k.bytes += len(out.frame)
	k.mu.Unlock()
	k.kick()
}

// kick makes sure that somebody writes.
func (k *socket) kick() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.writing || k.closed || k.corked {
		return
	}
	k.writing = true
	k.srv.tasks.spawn(k.write)
}

// write writes until there is nothing left. Whoever calls it is the writer.
func (k *socket) write() {
	var room [few]outgoing
	for {
		batch, end := k.take(room[:0])
		switch {
		case end:
			k.depart()
			return
		case len(batch) == 0 || !k.writeBatch(batch):
			return
		}
	}
}

// flush is for the reader, after it has processed a frame. It writes what has
// come of that itself, as far as this is possible without waiting: a client
// that does not read must not keep it from reading.
func (k *socket) flush() {
	k.mu.Lock()
	k.corked = false
	if k.writing || k.closed {
		k.mu.Unlock()
		return
	}
	k.writing = true
	k.mu.Unlock()
	const most = 2
	var room [few]outgoing
	for n := 0; ; n++ {
		batch, end := k.take(room[:0])
		switch {
		case end:
			k.srv.tasks.spawn(k.depart)
			return
		case len(batch) == 0:
			return
		case n == most:
			k.writeLater(batch, k.writeBatch)
			return
		case !k.tryBatch(batch):
			return
		}
	}
}

// take appends all that is to be written now. Without anything the caller is no
// longer the writer, unless it has to end the connection. Who does that stays
// the writer, so that there is no other.
func (k *socket) take(batch []outgoing) (_ []outgoing, end bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed {
		k.writing = false
		return nil, false
	}
	if len(k.pending) > 0 {
		batch = append(batch, k.pending...)
		k.pending, k.bytes = nil, 0
		k.room.Broadcast()
	}
	if s := k.session; s != nil && k.code == 0 {
		if list := s.takeFor(k); len(list) > 0 {
			batch = append(batch, outgoing{textFrame(list), s})
		}
	}
	if len(batch) > 0 {
		return batch, false
	}
	// The replies to a frame that is being processed are still to come.
	end = k.code != 0 && !k.busy
	k.writing = end
	return nil, end
}

// writeBatch takes all the time that there is. It reports whether the caller
// may go on writing.
func (k *socket) writeBatch(batch []outgoing) bool {
	var room [few][]byte
	return k.wrote(batch, k.conn.WriteFrames(appendFrames(room[:0], batch)...))
}

// tryBatch takes no time. If the batch has to wait, another goroutine becomes
// the writer.
func (k *socket) tryBatch(batch []outgoing) bool {
	var room [few][]byte
	done, err := k.conn.TryWriteFrames(appendFrames(room[:0], batch)...)
	switch {
	case errors.Is(err, wsframe.ErrWouldWait):
		k.writeLater(batch, k.writeBatch)
		return false
	case err == nil && !done:
		k.writeLater(batch, func(batch []outgoing) bool { return k.wrote(batch, k.conn.Flush()) })
		return false
	}
	return k.wrote(batch, err)
}

// writeLater makes another goroutine the writer, which begins with the batch.
func (k *socket) writeLater(batch []outgoing, write func([]outgoing) bool) {
	batch = slices.Clone(batch)
	k.srv.tasks.spawn(func() {
		if write(batch) {
			k.write()
		}
	})
}

// wrote settles what was written or not. It reports whether the connection
// still works.
func (k *socket) wrote(batch []outgoing, err error) bool {
	for _, out := range batch {
		out.settle(err == nil)
	}
	if err != nil {
		// The connection is being closed, or the failure has dropped it.
		k.fail()
	}
	return err == nil
}

// depart closes the connection as was asked for.
func (k *socket) depart() {
	k.mu.Lock()
	code, reason := k.code, k.reason
	k.mu.Unlock()
	k.close(code, reason)
	k.fail()
}

// close says goodbye and waits a few seconds for the other end to do so.
func (k *socket) close(code int, reason string) {
	// Whether the other end heard it makes no difference.
	_ = k.conn.Close(code, reason)
}

// takeFor hands out messages to a socket, if it is still the way to the
// client. In acknowledgement mode they leave with connects only.
func (s *Session) takeFor(k *socket) []*Prepared {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.socket != k || s.connectOnly || s.busy > 0 || !s.queue.prompt(time.Now()) {
		return nil
	}
	return s.queue.take(s.srv.opts.MaxResponseBytes)
}

// fail drops what is pending; its messages return to their queues.
func (k *socket) fail() {
	k.mu.Lock()
	pending := k.pending
	k.pending, k.bytes, k.closed, k.writing = nil, 0, true, false
	k.room.Broadcast()
	k.mu.Unlock()
	for _, out := range pending {
		out.settle(false)
	}
}
