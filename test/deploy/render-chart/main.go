// Renders a chart as Helm does, as far as ours goes: Go's own templates, sprig's functions, Helm's two that we use,
// and its way of laying values over the chart's. For machines without Helm; libraries of Debian, no module is fetched:
//
//	GO111MODULE=off GOPATH=/usr/share/gocode go run main.go CHART RELEASE VALUES.yaml
//
// Prints a JSON object: path of a template → what it became.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"text/template"

	"github.com/Masterminds/sprig"
	"sigs.k8s.io/yaml"
)

type object = map[string]interface{}

// What templates read files of the chart with: .Files.Get
type files string

func (chart files) Get(name string) string {
	text, err := os.ReadFile(filepath.Join(string(chart), name))
	if err != nil {
		return ""
	}
	return string(text)
}

func main() {
	rendered, err := render(os.Args[1], os.Args[2], os.Args[3])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	json.NewEncoder(os.Stdout).Encode(rendered)
}

func render(chart, release, valuesPath string) (map[string]string, error) {
	about, err := readObject(filepath.Join(chart, "Chart.yaml"))
	if err != nil {
		return nil, err
	}
	values, err := readObject(filepath.Join(chart, "values.yaml"))
	if err != nil {
		return nil, err
	}
	given, err := readObject(valuesPath)
	if err != nil {
		return nil, err
	}
	lay(given, values)

	all := template.New("chart").Option("missingkey=zero")
	functions := sprig.TxtFuncMap()
	delete(functions, "env")
	delete(functions, "expandenv")
	functions["toYaml"] = toYaml
	functions["include"] = func(name string, data interface{}) (string, error) {
		var text strings.Builder
		err := all.ExecuteTemplate(&text, name, data)
		return text.String(), err
	}
	all.Funcs(functions)

	names := []string{}
	root := filepath.Join(chart, "templates")
	err = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(chart, path)
		names = append(names, name)
		_, err = all.New(name).Parse(string(text))
		return err
	})
	if err != nil {
		return nil, err
	}

	data := object{
		"Values":  values,
		"Files":   files(chart),
		"Release": object{"Name": release, "Namespace": "default", "Service": "Helm"},
		"Chart":   object{"Name": about["name"], "Version": about["version"], "AppVersion": about["appVersion"]},
	}
	rendered := map[string]string{}
	for _, name := range names {
		if strings.HasPrefix(filepath.Base(name), "_") {
			continue
		}
		var text bytes.Buffer
		if err := all.ExecuteTemplate(&text, name, data); err != nil {
			return nil, err
		}
		// Helm's word for what a missing value becomes.
		rendered[name] = strings.ReplaceAll(text.String(), "<no value>", "")
	}
	return rendered, nil
}

func readObject(path string) (object, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	value := object{}
	return value, yaml.Unmarshal(text, &value)
}

// What is given stands over what is there; objects are joined, and null takes away.
func lay(given, values object) {
	for name, value := range given {
		if value == nil {
			delete(values, name)
			continue
		}
		inner, isObject := value.(object)
		below, isBelow := values[name].(object)
		if isObject && isBelow {
			lay(inner, below)
		} else {
			values[name] = value
		}
	}
}

func toYaml(value interface{}) string {
	text, err := yaml.Marshal(value)
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(string(text), "\n")
}
