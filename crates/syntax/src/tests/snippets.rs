//! One page of each language, with characters of every width in names, strings and comments.

use crate::Language;

pub(super) fn snippet(language: Language) -> &'static str {
    match language {
        Language::Bash => BASH,
        Language::C => C,
        Language::CSharp => C_SHARP,
        Language::Cpp => CPP,
        Language::Go => GO,
        Language::Java => JAVA,
        Language::JavaScript => JAVASCRIPT,
        Language::Lua => LUA,
        Language::Python => PYTHON,
        Language::Ruby => RUBY,
        Language::Rust => RUST,
        Language::Tsx => TSX,
        Language::TypeScript => TYPESCRIPT,
    }
}

const BASH: &str = r#"#!/usr/bin/env bash
# größe: 漢字 😀
source ./lib.sh
readonly NAME="naïve $1"

add() {
    local wert="$2"
    for item in "$@"; do
        if [[ -n "$item" ]]; then
            printf '%s 😀\n' "$item"
        fi
    done
    echo "${NAME:-é}" | sort
}

function main {
    add 1 "$(date)"
}

main "$@"
"#;

const C_SHARP: &str = r#"using System;
using Text = System.Text;

// größe: 漢字 😀
namespace Lager.Größe
{
    /// <summary>Keeps naïve items.</summary>
    public class Store<T> : IStore where T : class
    {
        private readonly string name = "é";
        public int Count { get; private set; }

        public Store(string name) { this.name = name; }

        public int Add(T item, int wert = 1)
        {
            if (item == null)
            {
                throw new ArgumentException($"empty 😀 {name}");
            }
            foreach (var c in "𝒳") { Console.WriteLine(c + 'x'); }
            return Count += wert;
        }
    }

    enum Kind { First, Second }
}
"#;

const CPP: &str = r#"#include <vector>
#include "store.h"

// größe: 漢字 😀
namespace lager {

template <typename T>
class Store : public Base {
 public:
  explicit Store(int size) : size_(size) {}
  ~Store() = default;
  int add(const T& item, int wert = 1) {
    if (item == nullptr) {
      throw std::runtime_error("empty 😀");
    }
    for (auto c : std::string("𝒳é")) { items_.push_back(c); }
    return size_ += wert;
  }
  bool empty() const;

 private:
  int size_;
  std::vector<char> items_;
};

bool Store<int>::empty() const { return size_ == 'x'; }

enum class Kind { First, Second };

}  // namespace lager
"#;

const JAVA: &str = r#"package lager;

import java.util.List;
import static java.util.Map.*;

/** größe: 漢字 😀 */
public class Store<T extends Item> implements Shelf {
    private static final int GRÖSSE = 3;
    private final List<T> items;

    public Store(List<T> items) {
        this.items = items;
    }

    @Override
    public int add(T item, int wert) throws Exception {
        if (item == null) {
            throw new IllegalStateException("empty 😀 naïve");
        }
        for (char c : "𝒳".toCharArray()) { System.out.println(c + 'x'); }
        return items.size() + wert;
    }

    enum Kind { FIRST, SECOND }
}
"#;

const LUA: &str = r#"local util = require("lager.util")

-- größe: 漢字 😀
local Store = {}
Store.__index = Store

--[[ block é ]]
function Store.new(items)
  return setmetatable({ items = items or {} }, Store)
end

function Store:add(name, wert)
  if self.items[name] then
    error("duplicate 😀 " .. name)
  end
  for index, item in ipairs(self.items) do
    print(index, item, [[raw "𝒳"]])
  end
  self.items[name] = wert
end

return Store
"#;

const RUBY: &str = r#"require "set"
require_relative "lib/shelf"

# größe: 漢字 😀
module Lager
  class Store < Shelf
    LIMIT = 3
    attr_reader :items

    def initialize(items = [])
      @items = items
    end

    def add(name, wert: 1)
      raise ArgumentError, "duplicate 😀 #{name}" if @items.include?(name)
      %w[é 𝒳].each do |part|
        puts part, 'x'
      end
      @items << name
    end

    def self.open(path) = new(File.readlines(path))
  end
end
"#;

const C: &str = r#"#include <stdio.h>
/* größe: 漢字 😀 */
struct point { int x; int y; };

static int add(int a, int b) {
    // sum, naïve
    return a + b;
}

int main(int argc, char **argv) {
    const char *greeting = "héllo 😀\n";
    for (int i = 0; i < argc; i++) {
        if (i % 2 == 0) {
            printf("%s %d", greeting, add(i, 'x'));
        } else {
            puts(argv[i]);
        }
    }
    return 0;
}
"#;

const GO: &str = r#"package main

import "fmt"

// Größe is a size, 漢字.
type Größe struct {
	name string
	wide map[string]int
}

func (g *Größe) Add(other int) (int, error) {
	if other < 0 {
		return 0, fmt.Errorf("negative 😀 %d", other)
	}
	for i, r := range `raw "é"` {
		g.wide[string(r)] += i
	}
	return other, nil
}

func main() {
	g := Größe{name: "𝒳"}
	switch n, err := g.Add(1); {
	case err != nil:
		panic(err)
	default:
		fmt.Println(n, 'é')
	}
}
"#;

const JAVASCRIPT: &str = r#"import { readFile } from "fs";

/** größe 漢字 */
export class Store {
  constructor(items = []) {
    this.items = items; // naïve 😀
  }

  async load(path) {
    const text = await readFile(path, { encoding: "utf-8" });
    return text.split(/[,\s]é/g).map((part) => `${part.trim()}: ${this.items.length} 😀`);
  }
}

function main(...args) {
  for (const [name, wert] of Object.entries({ größe: 1, 'x': "𝒳" })) {
    if (args.includes(name)) {
      console.log(name, wert);
    } else {
      throw new Error(`unknown ${name}`);
    }
  }
}
"#;

const PYTHON: &str = r#"import os
from typing import Iterable

# größe: 漢字 😀
class Store:
    """Keeps naïve items."""

    def __init__(self, items: Iterable[str] = ()):
        self.items = list(items)

    def add(self, name, *, wert=1):
        if name in self.items:
            raise ValueError(f"duplicate {name!r} 😀 {wert:>{len(name)}}")
        for index, item in enumerate(self.items):
            with open(os.path.join("größe", item)) as file:
                yield index, file.read()
        else:
            self.items.append(name)


def main():
    größe = {"a": 1, 'é': [x for x in range(10) if x % 2]}
    try:
        print(größe["𝒳"])
    except KeyError as error:
        print("missing", error)
    return größe
"#;

const RUST: &str = r##"//! Größe: 漢字 😀
use std::collections::HashMap;

/// Keeps naïve items.
#[derive(Debug, Default)]
pub struct Store<'a> {
    items: HashMap<&'a str, usize>,
}

impl<'a> Store<'a> {
    pub fn add(&mut self, name: &'a str) -> Result<usize, String> {
        if name.is_empty() {
            return Err(format!("empty 😀 {name:?}"));
        }
        /* block /* nested é */ comment */
        let größe = self.items.entry(name).or_insert(0);
        *größe += 1;
        Ok(*größe)
    }
}

fn main() {
    let mut store = Store::default();
    for (index, part) in ["é", r#"raw "𝒳""#].iter().enumerate() {
        match store.add(part) {
            Ok(n) if n > 1 => println!("{index} {}", 'ß'),
            Ok(_) => {}
            Err(error) => panic!("{error}"),
        }
    }
}
"##;

const TSX: &str = r#"import React, { useState } from "react";

interface Props {
  größe: number;
  onPick?: (name: string) => void;
}

// 漢字 😀
export const List = ({ größe, onPick }: Props): JSX.Element => {
  const [items, setItems] = useState<string[]>(["é", '𝒳']);
  if (größe === 0) {
    return <p>naïve {items.length} 😀</p>;
  }
  return (
    <ul className="liste">
      {items.map((item) => (
        <li key={item} onClick={() => onPick?.(item)}>{`${item}: ${größe}`}</li>
      ))}
    </ul>
  );
};
"#;

const TYPESCRIPT: &str = r#"import type { Reader } from "./reader";

/* größe 漢字 */
export enum Kind { First = "é", Second = "𝒳" }

export interface Item<T> {
  readonly name: string;
  wert?: T | undefined;
}

export abstract class Store<T extends object> {
  private items: Map<string, Item<T>> = new Map();

  constructor(private readonly reader: Reader) {}

  async add(name: string, wert: T): Promise<number> {
    if (this.items.has(name)) {
      throw new Error(`duplicate ${name} 😀`); // naïve
    }
    this.items.set(name, { name, wert });
    for (const [key, item] of this.items) {
      console.log(key satisfies string, item as Item<T>);
    }
    return this.items.size;
  }
}

type Names = `größe-${Kind}` | keyof Item<number>;
"#;
