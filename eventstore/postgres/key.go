package postgres

import (
	"bytes"
	"context"
	"errors"
)

// ErrOtherKey refuses a key that is not the one the store's claims were made with: with another one, no
// name that is taken would be found.
var ErrOtherKey = errors.New("postgres: not the key that this store was begun with")

// CheckKey compares the fingerprint of the key that claims are hashed with to the one that the store was
// begun with; the first one to ask begins it.
func (s *Store) CheckKey(ctx context.Context, fingerprint []byte) error {
	_, err := s.pool.Exec(ctx, `update head set key_fingerprint = $1 where key_fingerprint is null`, fingerprint)
	if err != nil {
		return wrap("check key", err)
	}
	return s.CompareKey(ctx, fingerprint)
}

// Fingerprint is that of the key that the store was begun with; nil where it was not begun.
func (s *Store) Fingerprint(ctx context.Context) (begun []byte, err error) {
	err = s.pool.QueryRow(ctx, `select key_fingerprint from head`).Scan(&begun)
	return begun, wrap("fingerprint", err)
}

// CompareKey is CheckKey for those who change nothing: any key fits a store that was not begun.
func (s *Store) CompareKey(ctx context.Context, fingerprint []byte) error {
	begun, err := s.Fingerprint(ctx)
	if err != nil {
		return err
	}
	if begun != nil && !bytes.Equal(begun, fingerprint) {
		return ErrOtherKey
	}
	return nil
}
