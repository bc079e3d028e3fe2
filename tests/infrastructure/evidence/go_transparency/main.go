// Reads a checkpoint and the tiles of its tree as the Go toolchain reads those of its checksum database, proves every
// entry, and signs the checkpoint again: main FOLDER VERIFIER_KEY SIGNING_KEY.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type folder string

func (folder) Height() int                  { return 8 }
func (folder) SaveTiles([]tlog.Tile, [][]byte) {}

func (f folder) ReadTiles(tiles []tlog.Tile) (data [][]byte, err error) {
	for _, tile := range tiles {
		path := strings.Replace(tile.Path(), "tile/8/", "tile/", 1)
		content, err := os.ReadFile(filepath.Join(string(f), path))
		if err != nil {
			return nil, err
		}
		data = append(data, content)
	}
	return data, nil
}

func (f folder) entries(size int64) (entries [][]byte) {
	for index := int64(0); index*256 < size; index++ {
		tile := tlog.Tile{H: 8, L: 0, N: index, W: int(min(256, size-index*256))}
		path := strings.Replace(tile.Path(), "tile/8/0/", "tile/entries/", 1)
		content := must(os.ReadFile(filepath.Join(string(f), path)))
		for len(content) > 0 {
			length := int(content[0])<<8 | int(content[1])
			entries = append(entries, content[2:2+length])
			content = content[2+length:]
		}
	}
	return entries
}

func main() {
	tiles := folder(os.Args[1])
	verifier := must(note.NewVerifier(os.Args[2]))
	signed := must(os.ReadFile(filepath.Join(os.Args[1], "checkpoint")))
	opened := must(note.Open(signed, note.VerifierList(verifier)))
	lines := strings.Split(opened.Text, "\n")
	size := must(strconv.ParseInt(lines[1], 10, 64))
	root := must(tlog.ParseHash(lines[2]))

	reader := tlog.TileHashReader(tlog.Tree{N: size, Hash: root}, tiles)
	entries := tiles.entries(size)
	if int64(len(entries)) != size {
		panic(fmt.Sprint(len(entries), " entries"))
	}
	for index, entry := range entries {
		proof := must(tlog.ProveRecord(size, int64(index), reader))
		if err := tlog.CheckRecord(proof, size, root, int64(index), tlog.RecordHash(entry)); err != nil {
			panic(err)
		}
	}
	signer := must(note.NewSigner(os.Args[3]))
	os.Stdout.Write(must(note.Sign(&note.Note{Text: opened.Text}, signer)))
}

func min(a, b int64) int64 {
	if a < b {
		return a
	}
	return b
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}
