package webconferencing

import "context"

// maxRecordings is how many recordings one answer has.
const maxRecordings = 1000

// recorderFor finds the recorder of a call's latest run.
func (s *Service) recorderFor(ctx context.Context, by Actor, id CallID, moderator, running bool) (*entry, MeetingRequest, error) {
	c, e, err := s.runFor(ctx, by, id, moderator)
	switch {
	case err != nil:
		return nil, MeetingRequest{}, err
	case e.recorder == nil:
		return nil, MeetingRequest{}, cannot("record")
	case running && c.State != StateStarted:
		return nil, MeetingRequest{}, notStarted()
	}
	req, err := s.registry.request(ctx, e, c)
	return e, req, err
}

// StartRecording begins to record a started call, for those who moderate it.
func (s *Service) StartRecording(ctx context.Context, by Actor, id CallID) error {
	const op = "start recording"
	e, req, err := s.recorderFor(ctx, by, id, true, true)
	if err != nil {
		return s.wrap(ctx, by, op, err)
	}
	return s.wrap(ctx, by, op, tell(ctx, s.registry, e, func(ctx context.Context) error { return e.recorder.StartRecording(ctx, req, by) }))
}

// StopRecording ends the recording of a started call, for those who moderate
// it.
func (s *Service) StopRecording(ctx context.Context, by Actor, id CallID) error {
	const op = "stop recording"
	e, req, err := s.recorderFor(ctx, by, id, true, true)
	if err != nil {
		return s.wrap(ctx, by, op, err)
	}
	return s.wrap(ctx, by, op, tell(ctx, s.registry, e, func(ctx context.Context) error { return e.recorder.StopRecording(ctx, req, by) }))
}

// Recordings returns the recordings of a call's latest run, at most 1,000, to
// its parties. Their addresses are for the acting user.
func (s *Service) Recordings(ctx context.Context, by Actor, id CallID) ([]Recording, error) {
	const op = "list recordings"
	e, req, err := s.recorderFor(ctx, by, id, false, false)
	if err != nil {
		return nil, s.wrap(ctx, by, op, err)
	}
	list, err := ask(ctx, s.registry, e, func(ctx context.Context) ([]Recording, error) { return e.recorder.Recordings(ctx, req, by) })
	if err != nil {
		return nil, s.wrap(ctx, by, op, err)
	}
	safe := make([]Recording, 0, len(list))
	for _, rec := range list[:min(len(list), maxRecordings)] {
		if rec.URL != "" && !webLink(rec.URL) {
			rec.URL = ""
		}
		safe = append(safe, rec)
	}
	return safe, nil
}

// DeleteRecording deletes a recording, for those who moderate the call. The
// provider checks that the recording belongs to the call.
func (s *Service) DeleteRecording(ctx context.Context, by Actor, id CallID, recording string) error {
	const op = "delete recording"
	e, req, err := s.recorderFor(ctx, by, id, true, false)
	if err != nil {
		return s.wrap(ctx, by, op, err)
	}
	if err := checkText("recording", recording, 1, maxID); err != nil {
		return s.wrap(ctx, by, op, err)
	}
	return s.wrap(ctx, by, op, tell(ctx, s.registry, e, func(ctx context.Context) error { return e.recorder.DeleteRecording(ctx, req, by, recording) }))
}
