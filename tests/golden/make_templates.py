#!/usr/bin/env python3
"""Writes chat_templates.json: chat templates and what transformers makes of them for a few conversations.

Usage: tests/golden/make_templates.py [--out tests/golden/chat_templates.json]; needs transformers and jinja2.
The templates are written in the ways of published checkpoints (LLaVA-1.5, LLaVA-1.6 Mistral and Vicuna, Llama 3 and 3.1, Qwen2,
text-only Mistral, Gemma), and one exercises the language itself.
"""
import argparse
import json
import pathlib

from transformers.utils.chat_template_utils import render_jinja_template

PARTS = """{# images first #}{% for content in message['content'] | selectattr('type', 'equalto', 'image') %}{{ '<image>\\n' }}{% endfor %}{# then texts #}"""
TEXTS = """{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}"""

TEMPLATES = {
    "llava15_generation": "{% for message in messages %}{% if message['role'] != 'system' %}{{ message['role'].upper() + ': '}}{% endif %}" + PARTS
    + "{% if message['role'] != 'assistant' %}" + TEXTS + "{{ content['text'] + ' '}}{% endfor %}{% else %}" + TEXTS
    + "{% generation %}{{ content['text'] + ' '}}{% endgeneration %}{% endfor %}{% endif %}{% endfor %}{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}",
    "mistral16": "{% for message in messages %}{% if message['role'] == 'system' %}{{ '<<SYS>>\n' + message['content'][0]['text'] + '\n<</SYS>>\n\n' }}"
    "{% elif message['role'] == 'user' %}{{ '[INST] ' }}" + PARTS + TEXTS + "{{ content['text'] }}{% endfor %}{{' [/INST]' }}{% elif message['role'] == 'assistant' %}"
    + TEXTS + "{{ ' ' + content['text'] + '</s> ' }}{% endfor %}{% else %}{{ raise_exception('Only user and assistant roles are supported!') }}{% endif %}{% endfor %}",
    "llama3_lines": """{% for message in messages %}
    {%- set body = namespace(text='') %}
    {%- for part in message.content %}
        {%- if part.type == 'image' %}
            {%- set body.text = body.text ~ '<image>\\n' %}
        {%- else %}
            {%- set body.text = body.text ~ (part.text | trim) %}
        {%- endif %}
    {%- endfor %}
    {{- ('' if not loop.first else bos_token) + '<|start_header_id|>' + message.role + '<|end_header_id|>\\n\\n' + body.text + '<|eot_id|>' }}
{%- endfor %}
{%- if add_generation_prompt -%}
    {{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}
{%- endif -%}
""",
    "qwen_default_system": """{% set image_count = namespace(value=0) %}{% for message in messages %}{% if loop.first and message['role'] != 'system' %}<|im_start|>system
You are a helpful assistant.<|im_end|>
{% endif %}<|im_start|>{{ message['role'] }}
{% if message['content'] is string %}{{ message['content'] }}<|im_end|>
{% else %}{% for content in message['content'] %}{% if content['type'] == 'image' or 'image' in content %}{% set image_count.value = image_count.value + 1 %}{% if add_vision_id is defined and add_vision_id %}Picture {{ image_count.value }}: {% endif %}<image>
{% elif 'text' in content %}{{ content['text'] }}{% endif %}{% endfor %}<|im_end|>
{% endif %}{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}""",
    "strings_inst": "{{ bos_token }}{% for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}{% if message['role'] == 'user' %}"
    "{{ '[INST] ' + message['content'] + ' [/INST]' }}{% elif message['role'] == 'assistant' %}{{ message['content'] + eos_token}}{% endif %}{% endfor %}",
    "strings_slices": """{%- if messages[0]['role'] == 'system' %}
    {%- set system_message = messages[0]['content'] | trim + '\n\n' %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system_message = '' %}
{%- endif %}
{{- bos_token -}}
{%- for message in messages %}
    {%- set role = 'model' if message['role'] == 'assistant' else message['role'] -%}
    {{- '<start_of_turn>' + role + '\n' + (system_message if loop.first else '') + message['content'].strip() + '<end_of_turn>\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}
""",
    "language": """{%- macro wrap(text, left='<', right='>') -%}{{ left }}{{ text }}{{ right }}{%- endmacro %}
{%- set ns = namespace(n=0, seen=[]) %}
{%- for m in messages if m.role != 'system' %}
  {%- set ns.n = ns.n + 1 %}
  {%- set ns.seen = ns.seen + [m.role[0] | upper] %}
  {{- wrap(loop.index ~ '/' ~ loop.length, right=')') }}
  {%- for c in m.content %}{% if c.type == 'image' %}<image>{% continue %}{% endif %}{{ c.text | replace('a', 'A') }}{% if loop.last %}{% break %}{% endif %}{% endfor %}
{% else %}
nothing
{%- endfor %}
{{ ns.seen | join(',') }} {{ ns.n // 2 }} {{ -7 // 2 }} {{ -7 % 3 }} {{ 7 / 2 }} {{ 2 ** 3 }} {{ 1.5 + 1 }} {{ ns.n > 1 and not false or none }}
{{ 'abc'[::-1] }} {{ 'abc'[-2:] }} {{ [1, 2, 3][1:] }} {{ {'a': 1, 'b': [true, none]} | tojson }} {{ {'a': 'x'} }} {{ 'x' in 'xyz' }} {{ 3 not in [1, 2] }}
{{ undefined_name }}|{{ undefined_name | default('d') }}|{{ undefined_name is defined }}|{{ '' | default('e', true) }}
{{ ' Ab c ' | trim }}|{{ 'ab cd' | title }}|{{ 'a,b,c'.split(',') | last }}|{{ 'Abc'.lower().startswith('ab') }}|{{ [3, 1, 2] | sort | list }}|{{ messages | map(attribute='role') | join('+') }}
{% set block %}  inner {{ 1 + 1 }}{% endset %}{{ block }}|{{ block | length }}|{% raw %}{{ raw }}{% endraw %}
    {%+ if true %}kept{% endif %}
    {% if true %}
    body
    {% endif %}
end {{- ' x ' -}}   y {#- comment -#} z
{{ "quote ' \\" \\u00e9" ~ '\\t|' }}{{ (1, 2) | length }}{{ range(3) | list }}{{ dict(a=1).items() | map('first') | list }}{{ loop is defined }}
""",
    # Numbers, filters and methods, with the arguments that they take.
    "language_more": r"""{% for m in messages %}{% for c in m.content if c.type == 'image' %}<image>{% endfor %}{% endfor %}
{{ true + 1 }} {{ 2 ** 10 }} {{ 2 ** -1 }} {{ -7.5 // 2 }} {{ -7.5 % 2 }} {{ 7.5 % -2 }} {{ 1e3 }} {{ 1.5e-1 }} {{ 1e16 }} {{ 1e15 }} {{ 0.1 + 0.2 }} {{ ((-2.0) ** 63) is divisibleby(-1) }}
{{ 7 is odd }} {{ -7 is odd }} {{ 6 is even }} {{ 9 is divisibleby 3 }} {{ '12' | int }} {{ ' +1_000 ' | int }} {{ 'x' | int(7) }} {{ '1.9' | int }} {{ 1.9 | int }} {{ '2.5' | float }} {{ 'x' | float }}
{{ 42 | round }} {{ 42.5 | round }} {{ 2.567 | round(2) }} {{ 2.1 | round(method='ceil') }} {{ 2.9 | round(0, 'floor') }} {{ -3 | abs }} {{ [1, 2.5] | sum }} {{ [{'a': 1}, {'a': 2}] | sum(attribute='a') }}
{{ ['b', 'A', 'c'] | sort }} {{ ['b', 'A', 'c'] | sort(reverse=true) }} {{ ['b', 'A'] | sort(case_sensitive=true) }} {{ [{'n': 2}, {'n': 1}] | sort(attribute='n') }} {{ {'b': 1, 'A': 2} | dictsort | map('join', '=') | list }}
{{ {'a': 2, 'b': 1} | dictsort(by='value') | map('join', '=') | list }} {{ ['a', 'A', 'b'] | unique | list }} {{ ['b', 'A'] | max }} {{ ['b', 'A'] | min }} {{ [] | first }}|{{ 'abc' | first }}{{ 'abc' | last }}{{ 'abc' | reverse }}
{{ {'b': 'é', 'a': [1, none, 1.0]} | tojson }} {{ {'b': 'é😀', 'a': 1} | tojson(ensure_ascii=true, sort_keys=true) }} {{ [1, {'a': []}] | tojson(indent=2) }} {{ {'a': [1, 2]} | tojson(separators=(',', ':')) }} {{ "\u0001\"\\" | tojson }}
{{ 'a\nb\n\nc' | indent }}|{{ 'a\nb' | indent(2, true) }}|{{ 'a\n\nb' | indent('>', blank=true) }}|{{ ['a', 1, none] | join('-') }}|{{ [{'a': 1}] | join(',', attribute='a') }}
{{ 'xaxbx'.strip('x') }} {{ 'éaè'.strip('é') }}|{{ '　 a '.strip() }}|{{ '  a b  c '.split() }} {{ 'a b c'.split(' ', 1) }} {{ 'a\nb\n'.splitlines() }} {{ 'aXbX'.replace('X', '', 1) }} {{ 'éab'.find('b') }} {{ 'aaa'.count('a') }}
{{ 'abc'[1] }}{{ 'abc'[-1] }}{{ 'abc'[5] }}|{{ 'aébc'[1:3] }}{{ 'aébc'[::2] }}{{ 'aébc'[::-2] }}{{ 'abc'[5:] }}{{ 'abc'[-9:2] }}|{{ [1, 2, 3, 4][::3] }}{{ [1, 2, 3, 4][-1:0:-2] }}{{ [1, 2][::9223372036854775807] }}
{{ [1, 2] * 2 }} {{ 'ab' * 2 }} {{ 2 * 'ab' }} {{ [1] + [2] }} {{ (1, 2) < (1, 3) }} {{ [1, [2]] == [1, [2]] }} {{ {'a': 1} == {'a': 1.0} }} {{ 1 == true }} {{ 'a' == 1 }} {{ none == undefined_name }}
{{ {'a': 1, 'a': 2} }} {{ {'a': 1}.get('b') }} {{ {'a': 1}.get('b', 3) }} {{ {'a': 1}.keys() | list }} {{ {'a': 1}.values() | list }} {{ dict([('a', 1)], b=2) }} {{ {'items': 1}['items'] }}
{% for x in [1, 2, 3] %}{{ loop.index0 }}{{ loop.revindex }}{{ loop.first }}{{ loop.last }}{{ loop.cycle('x', 'y') }}{{ loop.previtem }}{{ loop.nextitem }};{% endfor %}
{% for k, v in {'a': 1, 'b': 2}.items() %}{{ k }}={{ v }};{% endfor %}{% for c in 'aé' %}{{ c }}.{% endfor %}{% for k in {'a': 1} %}{{ k }}{% endfor %}{% set a, b = 1, 2 %}{{ b }}{{ a }}
{% set x = 1 %}{% for i in [1] %}{% set x = 2 %}{% endfor %}{{ x }}{% macro f(a, b=a) %}{{ a }}{{ b }}{{ x }}{% endmacro %}{{ f(1) }}{{ f(1, b=2) }}{% with y = 5 %}{{ y }}{% endwith %}{{ y is defined }}
{{ [1, 2, 3] | select('odd') | list }} {{ [1, 2, 3] | reject('gt', 1) | list }} {{ [0, 1] | select | list }} {{ [{'a': 1}, {}] | selectattr('a', 'defined') | list }} {{ [{'a': 1}, {}] | map(attribute='a', default=0) | list }} {{ ['a'] | map('replace', 'a', 'b') | list }}
{{ "it's" }} {{ ["it's", 'a"b', 'x\ty'] }} {{ 'a%sb' | upper }} {{ 'ABC' is upper }} {{ 'x' is in ['x'] }} {{ namespace(a=1).a }} {{ -2 ** 2 }} {{ 1 if false }}|{{ 'b' if false else 'c' }} {{ 'HELLO wORLD' | capitalize }} {{ 'hello wORLD' | title }}
""",
}
USER = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": " What is a cat? "}]}]
LATER = USER + [{"role": "assistant", "content": [{"type": "text", "text": "A \"small\" animal."}]},
                {"role": "user", "content": [{"type": "text", "text": "Where\nis it, é?"}]}]
SYSTEM = [{"role": "system", "content": [{"type": "text", "text": "Be brief."}]}]
CONVERSATIONS = [USER, LATER, SYSTEM + USER]


def as_strings(conversation):
    """What a person gives to a template that wants one text per message."""
    return [{"role": m["role"], "content": "".join("<image>\n" if p["type"] == "image" else p["text"] for p in m["content"])} for m in conversation]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path(__file__).parent / "chat_templates.json")
    out = parser.parse_args().out
    cases = []
    for name, template in TEMPLATES.items():
        for conversation in CONVERSATIONS:
            given = as_strings(conversation) if name.startswith("strings") else conversation
            try:
                text = render_jinja_template([given], chat_template=template, add_generation_prompt=True, bos_token="<s>", eos_token="</s>")[0][0]
            except Exception as error:  # what the template refuses
                text, refused = None, str(error)
            cases.append({"name": name, "template": template, "messages": conversation, "prompt": text} | ({} if text is not None else {"refused": refused}))
    out.write_text(json.dumps(cases, ensure_ascii=False, indent=1) + "\n")
    print(f"{out}: {len(cases)} cases, {sum(c['prompt'] is None for c in cases)} refused")


if __name__ == "__main__":
    main()
