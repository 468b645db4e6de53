package command

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"
	"github.com/go-viper/mapstructure/v2"
	"go.yaml.in/yaml/v3"

	"github.com/grayling-gateway/grayling/core"
	"github.com/grayling-gateway/grayling/traefikplugin"
)

// checkTraefik returns what is wrong with the rollouts in a configuration of Traefik's, each with the file and, in YAML,
// the line.
func checkTraefik(file string) []string {
	documents, err := readTraefik(file)
	if err != nil {
		return []string{err.Error()}
	}
	var problems []string
	found := 0
	first := make(map[string]core.Config) // of each name
	for _, document := range documents {
		for _, p := range plugins(document, nil) {
			found++
			config, wrong := p.check()
			if other, again := first[config.Name]; !again {
				first[config.Name] = config
			} else if config.Name != "" && !reflect.DeepEqual(config, other) {
				wrong = append(wrong, core.Problem{Path: "name", Text: fmt.Sprintf("another middleware has the name %q and is configured differently: make them equal, or give one another name", config.Name)})
			}
			for _, problem := range wrong {
				problems = append(problems, p.place(file, problem))
			}
		}
	}
	if found == 0 {
		return []string{file + ": " + noRollout}
	}
	return problems
}

const noRollout = "there is no rollout in it: no middleware with a plugin that is named grayling, or has variants"

// document is a configuration, and where its lines are.
type document struct {
	content any
	lines   *yaml.Node // nil: that is not known
}

func readTOML(content []byte) ([]document, error) {
	var table map[string]any
	if err := toml.Unmarshal(content, &table); err != nil {
		return nil, err
	}
	return []document{{content: table}}, nil
}

func readYAML(content []byte) ([]document, error) {
	var documents []document
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	for {
		var node yaml.Node
		err := decoder.Decode(&node)
		if errors.Is(err, io.EOF) {
			return documents, nil
		}
		d := document{lines: &node}
		if err == nil {
			err = node.Decode(&d.content)
		}
		if err != nil {
			return nil, err
		}
		documents = append(documents, d)
	}
}

// plugin is the configuration of a rollout by the keys that lead to it.
type plugin struct {
	document
	keys  []string
	table map[string]any
}

// plugins finds the rollouts below some keys, wherever a resource has its middlewares: tables in one that is called
// plugin, which are called grayling or have variants.
func plugins(d document, keys []string) []plugin {
	table, ok := d.content.(map[string]any)
	if !ok {
		return nil
	}
	var found []plugin
	for _, name := range slices.Sorted(maps.Keys(table)) {
		value := table[name]
		at := slices.Concat(keys, []string{name})
		inner, _ := value.(map[string]any)
		isPlugin := len(keys) > 0 && strings.EqualFold(keys[len(keys)-1], "plugin")
		if isPlugin && (strings.EqualFold(name, "grayling") || has(inner, "variants") || has(inner, "control")) {
			found = append(found, plugin{document: d, keys: at, table: inner})
			continue
		}
		found = append(found, plugins(document{value, d.lines}, at)...)
	}
	return found
}

func has(table map[string]any, key string) bool {
	for name := range table {
		if strings.EqualFold(name, key) {
			return true
		}
	}
	return false
}

// check returns a rollout, and what is wrong with it.
func (p plugin) check() (core.Config, []core.Problem) {
	config, err := p.config()
	if err != nil {
		return core.Config{}, []core.Problem{{Text: err.Error()}}
	}
	return config, traefikplugin.Check(config)
}

// config decodes a rollout as Traefik does.
func (p plugin) config() (core.Config, error) {
	var config core.Config
	decoder, err := mapstructure.NewDecoder(&mapstructure.DecoderConfig{
		DecodeHook: mapstructure.StringToSliceHookFunc(","), WeaklyTypedInput: true, Result: &config,
	})
	if err == nil {
		err = decoder.Decode(p.table)
	}
	return config, err
}

// place says where a problem is, and what it is.
func (p plugin) place(file string, problem core.Problem) string {
	where := file
	if line := p.line(problem.Path); line > 0 {
		where += ":" + strconv.Itoa(line)
	}
	path := strings.Join(p.keys, ".")
	if problem.Path != "" {
		path += "." + problem.Path
	}
	return fmt.Sprintf("%s: %s: %s", where, path, problem.Text)
}

// line returns the line of what a path of the rollout leads to, as far as there is something; 0 if lines are not known.
func (p plugin) line(path string) int {
	if p.lines == nil {
		return 0
	}
	node := p.lines
	line := 0
	keys := slices.Concat(p.keys, strings.FieldsFunc(path, func(char rune) bool { return strings.ContainsRune(".[]", char) }))
	for _, key := range keys {
		for node.Kind == yaml.DocumentNode || node.Kind == yaml.AliasNode {
			if node.Kind == yaml.AliasNode {
				node = node.Alias
			} else {
				node = node.Content[0]
			}
		}
		at, child := childOf(node, key)
		if child == nil {
			break
		}
		node, line = child, at
	}
	return line
}

// childOf returns what a key or an index leads to, and its line; nil if there is nothing.
func childOf(node *yaml.Node, key string) (int, *yaml.Node) {
	switch node.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(node.Content); i += 2 {
			if strings.EqualFold(node.Content[i].Value, key) {
				return node.Content[i].Line, node.Content[i+1]
			}
		}
	case yaml.SequenceNode:
		if i, err := strconv.Atoi(key); err == nil && i >= 0 && i < len(node.Content) {
			return node.Content[i].Line, node.Content[i]
		}
	}
	return 0, nil
}
