/* SPDX-License-Identifier: BSD-3-Clause */
#include "web/files.h"

#include <string.h>

/* The assembler reads web/NAME, from the top folder, into the program. */
#define FILE_BYTES(symbol, name)                                                                   \
	__asm__(".section .rodata\n"                                                               \
		"web_" #symbol "_begin:\n.incbin \"web/" name "\"\n"                               \
		"web_" #symbol "_end:\n.byte 0\n.previous\n");                                     \
	extern const char web_##symbol##_begin[], web_##symbol##_end[]

FILE_BYTES(index, "index.html");
FILE_BYTES(style, "style.css");
FILE_BYTES(app, "app.js");
FILE_BYTES(api, "api.js");
FILE_BYTES(model, "model.js");
FILE_BYTES(scene, "scene.js");
FILE_BYTES(svg, "svg.js");
FILE_BYTES(panel, "panel.js");
FILE_BYTES(actions, "actions.js");
FILE_BYTES(console, "console.js");
FILE_BYTES(vt, "vt.js");
FILE_BYTES(format, "format.js");
FILE_BYTES(icon, "icon.svg");

#define TYPE_HTML "text/html; charset=utf-8"
#define TYPE_JS	  "text/javascript; charset=utf-8"
#define TYPE_CSS  "text/css; charset=utf-8"
#define TYPE_SVG  "image/svg+xml"

/* clang-format off */
static const struct {
	const char *path, *type, *begin, *end;
} table[] = {
	{"/", TYPE_HTML, web_index_begin, web_index_end},
	{"/style.css", TYPE_CSS, web_style_begin, web_style_end},
	{"/app.js", TYPE_JS, web_app_begin, web_app_end},
	{"/api.js", TYPE_JS, web_api_begin, web_api_end},
	{"/model.js", TYPE_JS, web_model_begin, web_model_end},
	{"/scene.js", TYPE_JS, web_scene_begin, web_scene_end},
	{"/svg.js", TYPE_JS, web_svg_begin, web_svg_end},
	{"/panel.js", TYPE_JS, web_panel_begin, web_panel_end},
	{"/actions.js", TYPE_JS, web_actions_begin, web_actions_end},
	{"/console.js", TYPE_JS, web_console_begin, web_console_end},
	{"/vt.js", TYPE_JS, web_vt_begin, web_vt_end},
	{"/format.js", TYPE_JS, web_format_begin, web_format_end},
	{"/icon.svg", TYPE_SVG, web_icon_begin, web_icon_end},
};
/* clang-format on */

const struct web_file *web_file_find(const char *path)
{
	static struct web_file file; /* one thread */

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		if (strcmp(table[i].path, path) != 0)
			continue;
		file.path = table[i].path;
		file.type = table[i].type;
		file.bytes = table[i].begin;
		file.len = (size_t)(table[i].end - table[i].begin);
		return &file;
	}
	return NULL;
}
