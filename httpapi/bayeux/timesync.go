package bayeux

import (
	"strconv"
	"time"
)

// timesync adds the answer to a message's clock synchronisation, from which
// the client computes how far its clock is from the server's.
func (srv *Server) timesync(m *Message, ext []byte) []byte {
	raw, ok := m.Ext("timesync")
	if !ok || len(raw) == 0 || raw[0] != '{' {
		return ext
	}
	list := members(raw)
	number := func(name string) (int64, bool) {
		v, found := lookup(list, name)
		if !found {
			return 0, false
		}
		return intValue(v)
	}
	tc, ok := number("tc")
	if !ok {
		return ext
	}
	ts := m.received.UnixMilli()
	b := append([]byte(nil), `{"tc":`...)
	b = strconv.AppendInt(b, tc, 10)
	b = append(b, `,"ts":`...)
	b = strconv.AppendInt(b, ts, 10)
	b = append(b, `,"p":`...)
	b = strconv.AppendInt(b, time.Since(m.received).Milliseconds(), 10)
	if lag, ok := number("l"); ok {
		offset, _ := number("o")
		accuracy := tc + offset + lag - ts
		const target = 25 // below this the client's clock is good enough
		if lag != 0 && accuracy > -target && accuracy < target {
			return ext
		}
		b = append(b, `,"a":`...)
		b = strconv.AppendInt(b, accuracy, 10)
	}
	return appendMember(ext, "timesync", append(b, '}'))
}
