package bayeux

import (
	"fmt"

	"github.com/webconferencing/webconferencing/httpapi/bayeux/internal/wsframe"
)

// WebSocket close codes that the server uses. Those for breaches of the
// WebSocket protocol and of its limits are sent by wsframe.
const (
	closeNormal       = wsframe.CodeNormal
	closeGoingAway    = wsframe.CodeGoingAway
	closePolicy       = wsframe.CodePolicy
	closeTryAgain     = wsframe.CodeTryAgain
	closeUnauthorized = 4401
	closeExpired      = 4402
	closeSlow         = 4408
)

// newUpgrader makes what turns requests into WebSockets.
func newUpgrader(o *Options) (*wsframe.Upgrader, error) {
	w := &wsframe.Options{
		MaxMessageBytes: o.MaxMessageBytes, MessageTimeout: o.BodyTimeout, WriteTimeout: o.WriteTimeout, TextOnly: true,
	}
	if o.WebSocketProtocol != "" {
		w.Subprotocols = []string{o.WebSocketProtocol}
	}
	up, err := wsframe.New(w)
	if err != nil {
		return nil, fmt.Errorf("WebSocket options: %w", err)
	}
	return up, nil
}

// appendMessages packs messages into as few frames as may be.
func (srv *Server) appendMessages(batch []outgoing, list []*Prepared) []outgoing {
	if most := srv.opts.MessagesPerFrame; most > 0 {
		for ; len(list) > most; list = list[most:] {
			batch = append(batch, outgoing{frame: textFrame(list[:most])})
		}
	}
	return append(batch, outgoing{frame: srv.joined.frame(list)})
}

// textFrame packs messages into one JSON array in a WebSocket frame. The frame
// of a single prepared message is shared by all sockets.
func textFrame(list []*Prepared, replies ...[]byte) []byte {
	if len(list) == 1 && len(replies) == 0 {
		return list[0].wire
	}
	size := wsframe.HeaderRoom
	return wsframe.FinishText(appendFrame(make([]byte, size, size+frameSize(list, replies)), list, replies))
}
