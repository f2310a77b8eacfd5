package privacy

// ShownSubject is what was decided about a person's data, as it is shown to those who look at what it was.
type ShownSubject struct {
	SubjectID SubjectID `json:"subject_id" privacy:"public"`
	// Whether a legal hold keeps the data.
	Held bool `json:"held" privacy:"public"`
	// Of the hold.
	Reason    string `json:"reason,omitempty" privacy:"personal"`
	Forgotten bool   `json:"forgotten" privacy:"public"`
}

// Show is what was decided, if anything was.
func (s Subject) Show() any {
	if s.ID.IsZero() {
		return nil
	}
	return ShownSubject{SubjectID: s.ID, Held: s.Held, Reason: s.Reason, Forgotten: s.Forgotten}
}
