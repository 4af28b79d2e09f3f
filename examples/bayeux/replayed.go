package main

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/webconferencing/webconferencing/httpapi/bayeux"
)

// replayed keeps messages below /replay only, so that those on all other
// channels arrive as they were sent, without a replay id in them.
type replayed struct{ *bayeux.MemoryHistory }

func (r replayed) Record(ctx context.Context, channel string, data json.RawMessage) (json.RawMessage, error) {
	if !strings.HasPrefix(channel, "/replay/") {
		return data, nil
	}
	return r.MemoryHistory.Record(ctx, channel, data)
}
